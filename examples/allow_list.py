"""A plugin that says in each call who calls, and refuses calls of those who are not on its list.

The header is what the caller says. It keeps honest services apart; it proves nothing.
"""

from __future__ import annotations

import lymph


class AllowList(lymph.Plugin, lymph.Interceptor):
    """`me` is who this process is, `allowed` maps a method to those who may call it."""

    kinds = ('call', 'rpc')

    def __init__(self, container, config=None):
        super().__init__(container, config)
        self.me = self.config.get('me')
        self.allowed = {method: set(names) for method, names in self.config['allowed'].items()}

    def intercept(self, work, proceed):
        if work.kind == 'call':
            if self.me is not None:
                work.headers['caller'] = self.me
            return proceed()
        caller = work.headers.get('caller')
        if work.name in self.allowed and caller not in self.allowed[work.name]:
            raise lymph.Refused(f'{caller or "nobody"} may not call {work.name}', 'forbidden')
        return proceed()
