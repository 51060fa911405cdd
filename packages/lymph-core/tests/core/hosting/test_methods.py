from __future__ import annotations

import lymph


class Echo(lymph.Interface):
    @lymph.rpc()
    def echo(self, text=None):
        return text


def test_versions_side_by_side_share_the_series_of_their_methods(world):
    service = world.container((Echo, 'echo', '1.0'), (Echo, 'echo', '2.0'))
    caller = world.container()
    for version in ('1.0', '2.0', '2.0'):
        caller.request('echo', 'echo.echo', version=version)
    series = [(name, *sorted(tags.items())) for name, _, tags in service.metrics]
    assert len(series) == len(set(series))
    found = {
        name: value
        for name, value, tags in service.metrics
        if tags.get('method') == 'echo.echo' and tags.get('le', '+Inf') == '+Inf'
    }
    assert found['rpc.handled'] == found['rpc.duration.count'] == 3
    assert found['rpc.duration.bucket'] == 3
    assert found['rpc.seconds'] == found['rpc.duration.sum'] > 0
