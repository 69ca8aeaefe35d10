"""/docs: Swagger UI with our specification. Everything comes from here; the page asks no other host."""

import json
from typing import Any

import flask
from swagger_ui_bundle import swagger_ui_path

from dhos_connector_api.errors import NotFound

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Connector</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" href="docs/favicon-32x32.png">
</head>
<body>
<div id="specification"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
_START = """SwaggerUIBundle({url: "docs/openapi.json", dom_id: "#specification", validatorUrl: null,
  deepLinking: true, presets: [SwaggerUIBundle.presets.apis], layout: "BaseLayout"});
"""
_BUNDLED = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}


def page() -> flask.Response:
    """Return the page; what it loads are `assets`."""
    return flask.Response(_PAGE, content_type="text/html; charset=utf-8", headers=_HEADERS)


def assets(document: dict[str, Any]) -> flask.Blueprint:
    """Return the blueprint of what the page loads, `document` among it. Register it only with the page."""
    blueprint = flask.Blueprint("docs", __name__, url_prefix="/docs")

    @blueprint.get("/<name>")
    def asset(name: str) -> flask.Response:
        if name == "openapi.json":
            return flask.Response(json.dumps(document), content_type="application/json")
        if name == "start.js":
            return flask.Response(_START, content_type="text/javascript", headers=_HEADERS)
        if name not in _BUNDLED:
            raise NotFound("there is nothing under this address")
        return flask.send_from_directory(str(swagger_ui_path), name, max_age=3600)

    return blueprint
