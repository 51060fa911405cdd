"""The section `mcp` of a gateway."""

from __future__ import annotations

from dataclasses import dataclass, field

from lymph.config import ConfigView
from lymph.core.options import refuse_unknown
from lymph.web._gateway.allowed import Allowed
from lymph.web._gateway.mcp.origins import Origins
from lymph.web._options.hosts import Hosts

__all__ = ['McpSettings']

_KEYS = ('enabled', 'methods', 'origins')


@dataclass(frozen=True)
class McpSettings:
    """What is offered over MCP.

    =========  ========================  ========================================================
    key        default                   meaning
    =========  ========================  ========================================================
    enabled    true                      whether it is; without the section it is not
    methods    those that are            which methods are tools; patterns like those of `allow`,
               idempotent                which has to allow them too
    origins    those of `cors`, but      web pages that may use it, like https://chat.example
               neither * nor null
    =========  ========================  ========================================================
    """

    chosen: Allowed | None = None
    origins: Origins = field(default_factory=Origins)

    @classmethod
    def from_config(cls, config: ConfigView, allowed: Allowed) -> McpSettings | None:
        """Read the section of a gateway that allows `allowed`; None if MCP is off.

        Raises ConfigurationError for invalid values, and for methods that are not allowed.
        """
        view = config.view('mcp')
        refuse_unknown(view, _KEYS, plain=True)
        chosen = _chosen(view, allowed)
        hosts = Hosts.from_config(config)
        origins = Origins(_origins(view, config.view('cors')), hosts)
        return cls(chosen, origins) if len(view) and view.get_bool('enabled', True) else None


def _chosen(view: ConfigView, allowed: Allowed) -> Allowed | None:
    if view.get('methods') is None:
        return None
    chosen = Allowed.from_config(view, 'methods')
    for number, pattern in enumerate(view.get_list('methods')):
        if not _allows(allowed, Allowed.of([pattern])):
            text = f"expected what the list 'allow' of this gateway has too, found {pattern!r}"
            raise view.error(['methods', str(number)], f'{text}; add it there')
    return chosen


def _allows(outer: Allowed, inner: Allowed) -> bool:
    return (
        (outer.everything or not inner.everything)
        and (outer.everything or inner.whole <= outer.whole)
        and all(outer.admits(*name) for name in inner.methods)
    )


def _origins(view: ConfigView, cors: ConfigView) -> list[str]:
    origins = view.get_list('origins', None)
    if origins is None:
        return [each for each in cors.get_list('origins', []) if each not in ('*', 'null')]
    for number, origin in enumerate(origins):
        try:
            Origins([origin])
        except ValueError as error:
            raise view.error(['origins', str(number)], str(error)) from None
    return origins
