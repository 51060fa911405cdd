"""Methods of which instances have several versions."""

from __future__ import annotations

import lymph


class Stock(lymph.Interface):
    @lymph.rpc(idempotent=True)
    def count(self):
        return 1

    @lymph.rpc(idempotent=True)
    def take(self):
        return 1


class NewStock(lymph.Interface):
    @lymph.rpc(idempotent=True)
    def count(self):
        return 1

    @lymph.rpc()
    def take(self):
        return 1


def test_method_that_one_version_does_not_declare_idempotent_is_no_tool(serve):
    old, new = (Stock, 'stock', '1.0.0'), (NewStock, 'stock', '1.1.0')
    for versions in ([old, new], [new, old]):
        world = serve(*versions, allow=['stock.*'])
        assert world.tools() == ['stock.count']
        assert world.ask('tools/call', {'name': 'stock.take'})['error']['code'] == -32602
