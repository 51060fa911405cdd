"""The Date field of answers."""

from __future__ import annotations

from lymph.web._http.dates import DateLine


def test_date_follows_the_clock():
    now = 0.0
    line = DateLine(lambda: now).line
    assert line() == 'Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n'
    now = 0.9
    assert line() == 'Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n'
    now = 1.0
    assert line() == 'Date: Thu, 01 Jan 1970 00:00:01 GMT\r\n'
