"""The server is down for two minutes; the fixture began that long ago."""

from __future__ import annotations


def test_outage_of_two_minutes_fails_no_call_and_new_instances_are_found_afterwards(
    outage,
):
    scene, caller, newcomer = outage.scene, outage.caller, outage.newcomer
    before = scene.ask(caller, 'report')['calls']
    outage.end()
    assert newcomer.said('^lymph: no answer from ZooKeeper at ')
    assert newcomer.endpoint is None
    scene.ready(newcomer)
    scene.expect(caller, *outage.work, newcomer)
    report = scene.ask(caller, 'report')
    assert report['failures'] == []
    assert report['calls'] > before
