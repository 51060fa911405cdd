from __future__ import annotations

import lymph


class Echo(lymph.Interface):
    @lymph.rpc()
    def upper(self, text: str = '') -> str:
        """Return the text in capital letters."""
        return text.upper()

    @lymph.rpc(raises=ValueError)
    def refuse(self) -> None:
        """Raise an error."""
        raise ValueError('not today')
