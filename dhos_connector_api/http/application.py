"""The Flask application: it runs the operation that was found before it, and looks for nothing else."""

from functools import cached_property
from typing import Any

import flask
from werkzeug.routing import MapAdapter, Rule

from dhos_connector_api.http import call
from dhos_connector_api.http.routing import BLUEPRINT


class Application(flask.Flask):
    """Flask, without a second search for the operation that connexion has found and checked.

    What is in no specification, the pages, is found by Flask's own routing.
    """

    @cached_property
    def _operations(self) -> dict[str, Rule]:
        """Return the rules of the operations, by operationId; they are all there before the first request."""
        rules = (rule for rule in self.url_map.iter_rules() if rule.endpoint.startswith(f"{BLUEPRINT}."))
        return {rule.endpoint.partition(".")[2]: rule for rule in rules}

    def create_url_adapter(self, request: flask.Request | None) -> MapAdapter | None:
        """Return what Flask asks for the rule of a request, and for addresses."""
        here = call.of_environ(request.environ) if request is not None else None
        rule = self._operations.get(here.checked) if here is not None and here.checked else None
        if rule is None or request is None:
            return super().create_url_adapter(request)
        return _Found(rule, self.url_map, request)


class _Found(MapAdapter):
    """The answers to what Flask asks of a request whose rule is known."""

    def __init__(self, rule: Rule, rules: Any, request: flask.Request) -> None:
        environ = request.environ
        super().__init__(
            rules,
            server_name=environ["SERVER_NAME"],
            script_name="/",
            subdomain="",
            url_scheme=environ["wsgi.url_scheme"],
            path_info=environ["PATH_INFO"],
            default_method=environ["REQUEST_METHOD"],
        )
        self._rule = rule

    def match(self, *_arguments: Any, **_options: Any) -> Any:
        """Return the rule, and no values: handlers get theirs as they were checked."""
        return self._rule, {}
