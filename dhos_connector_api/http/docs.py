"""/docs and /redoc: our specification by Swagger UI and ReDoc. Nothing comes from another host.

Pages stand at several addresses, so they name what they load relative to themselves, and the scripts
find the specification beside themselves.
"""

import json
from importlib.resources import files
from typing import Any

import flask
from swagger_ui_bundle import swagger_ui_path

from dhos_connector_api.errors import NotFound

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Connector</title>
<link rel="stylesheet" href="{assets}/{style}">
<link rel="icon" href="{assets}/favicon-32x32.png">
</head>
<body>
<div id="specification"></div>
<script src="{assets}/{library}"></script>
<script src="{assets}/{start}"></script>
</body>
</html>
"""
_OWN = {
    "start.js": """const document_ = new URL("openapi.json", document.currentScript.src).href;
SwaggerUIBundle({url: document_, dom_id: "#specification", validatorUrl: null,
  deepLinking: true, presets: [SwaggerUIBundle.presets.apis], layout: "BaseLayout"});
""",
    "start-redoc.js": """const document_ = new URL("openapi.json", document.currentScript.src).href;
Redoc.init(document_, {disableSearch: true}, document.getElementById("specification"));
""",
    "redoc.css": "body { margin: 0; padding: 0; }\n",
}
_SWAGGER_UI = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
_REDOC = "redoc.standalone.js"
#: Where that is in its package, of which nothing is imported.
_REDOC_FOLDER = "templates/redoc/js"
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def shown(document: dict[str, Any]) -> dict[str, Any]:
    """Return the specification as Swagger UI gets it, whose Authorize then asks for a bearer token.

    The one that is enforced calls it `oauth2`, since only there scopes are part of OpenAPI 3.0. Who follows
    that is sent to an address of a token that is the platform's own affair. Here scopes are `x-scopes`.
    """
    schemes = document["components"]["securitySchemes"]
    plain = {name: _bearer(each) for name, each in schemes.items()}
    bearers = {name for name, each in schemes.items() if each["type"] == "oauth2"}
    paths = {
        path: {name: _without_scopes(each, bearers) for name, each in item.items()}
        for path, item in document["paths"].items()
    }
    return {
        **document,
        "components": {**document["components"], "securitySchemes": plain},
        "paths": paths,
    }


def _bearer(scheme: dict[str, Any]) -> dict[str, Any]:
    if scheme["type"] != "oauth2":
        return scheme
    known = scheme["flows"]["clientCredentials"]["scopes"]
    scopes = "; ".join(f"`{name}`: {text}" for name, text in known.items())
    text = f"{scheme['description']} The scopes an operation needs are its `x-scopes`: {scopes}."
    return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": text}


def _without_scopes(operation: Any, bearers: set[str]) -> Any:
    """The operation with its scopes beside its security, where OpenAPI allows none in it."""
    if not isinstance(operation, dict) or not operation.get("security"):
        return operation
    needed = {name: scopes for each in operation["security"] for name, scopes in each.items()}
    scopes = [scope for name in bearers for scope in needed.get(name, ())]
    security: list[dict[str, list[str]]] = [{name: [] for name in each} for each in operation["security"]]
    return {**operation, "security": security, **({"x-scopes": scopes} if scopes else {})}


def swagger_ui(assets: str) -> flask.Response:
    """Return the page of Swagger UI, from which `assets` is the way to what `assets` serves."""
    return _page(assets, "swagger-ui.css", "swagger-ui-bundle.js", "start.js")


def redoc(assets: str) -> flask.Response:
    """Return the page of ReDoc, from which `assets` is the way to what `assets` serves."""
    return _page(assets, "redoc.css", _REDOC, "start-redoc.js")


def _page(assets: str, style: str, library: str, start: str) -> flask.Response:
    html = _PAGE.format(assets=assets, style=style, library=library, start=start)
    return flask.Response(html, content_type="text/html; charset=utf-8", headers=_HEADERS)


def schema(document: dict[str, Any]) -> flask.Response:
    """Return the specification as it is shown, as JSON."""
    return flask.Response(json.dumps(shown(document)), content_type="application/json")


def assets(document: dict[str, Any]) -> flask.Blueprint:
    """Return the blueprint of what the pages load, `document` among it. Register it only with the pages."""
    blueprint = flask.Blueprint("docs", __name__, url_prefix="/docs")

    @blueprint.get("/<name>")
    def asset(name: str) -> flask.Response:
        if name == "openapi.json":
            return schema(document)
        if name in _OWN:
            kind = "text/css" if name.endswith(".css") else "text/javascript"
            return flask.Response(_OWN[name], content_type=kind, headers=_HEADERS)
        if name == _REDOC:
            return flask.send_from_directory(
                str(files("flask_openapi_redoc") / _REDOC_FOLDER), name, max_age=3600
            )
        if name not in _SWAGGER_UI:
            raise NotFound("there is nothing under this address")
        return flask.send_from_directory(str(swagger_ui_path), name, max_age=3600)

    return blueprint
