from __future__ import annotations

from lymph.core._operations.answers import PortAnswer, as_bytes


def written(answer, head_only=False, keep_alive=True):
    data = as_bytes(answer, head_only=head_only, keep_alive=keep_alive, now=0)
    head, body = data.split(b'\r\n\r\n', 1)
    return head.decode().split('\r\n'), body


def test_an_answer_has_the_length_of_its_body_in_bytes():
    head, body = written(PortAnswer(200, 'ä\n'))
    assert head[0] == 'HTTP/1.1 200 OK'
    assert 'Content-Length: 3' in head
    assert 'Date: Thu, 01 Jan 1970 00:00:00 GMT' in head
    assert 'Connection: keep-alive' in head
    assert body == 'ä\n'.encode()


def test_the_answer_to_head_has_the_same_head_and_no_body():
    answer = PortAnswer(503, 'starting\n')
    assert written(answer, head_only=True) == (written(answer)[0], b'')


def test_a_connection_that_is_closed_is_said_to_be():
    assert 'Connection: close' in written(PortAnswer(400, ''), keep_alive=False)[0]


def test_the_answer_to_another_method_names_those_that_there_are():
    assert 'Allow: GET, HEAD' in written(PortAnswer(405, ''))[0]


def test_text_that_cannot_be_encoded_is_escaped():
    assert written(PortAnswer(200, '\ud800'))[1] == b'\\ud800'
