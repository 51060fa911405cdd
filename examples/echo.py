"""A service: it answers, tells others what it did, and hears when others did it."""

from __future__ import annotations

import lymph


class Echo(lymph.Interface):
    @lymph.rpc()
    def echo(self, text=None):
        """Return the text."""
        return text

    @lymph.rpc()
    def upper(self, text=None):
        """Return the text in capital letters."""
        self.emit('uppercase_transform_finished', {'text': text})
        return text.upper()

    @lymph.event('uppercase_transform_finished')
    def on_uppercase(self, event):
        print('done', event['text'])
