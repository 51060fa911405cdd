"""`lymph shell`, at a terminal and without one, with and without a backdoor in the instance."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable
from typing import Any

from lymph.testing.waiting import let_pass

SHOP = """
import lymph

class Shop(lymph.Interface):
    stock = ['tea']

    @lymph.rpc()
    def order(self):
        return self.stock.pop()
"""


Open = Callable[..., Any]


def start(shell: Any, *options: str, debug: str = '') -> Any:
    shell.write('shop.py', SHOP)
    shell.write('shop.yml', f'interfaces: {{shop: {{class: "shop:Shop"}}}}\n{debug}')
    running = shell.start('instance', '--config=shop.yml', *options)
    running.said('shop at tcp://')
    return running


def test_a_script_on_stdin_runs_with_a_client(shell: Any) -> None:
    start(shell)
    done = shell.run('shell', input='import shop\nprint(client.request("shop", "shop.order"))')
    assert (done.exit_code, done.stdout, done.stderr) == (0, 'tea\n', '')
    done = shell.run('shell', input='print(config, lymph.__name__)\nraise SystemExit(3)')
    assert done.exit_code == 3
    assert 'lymph' in done.stdout
    done = shell.run('shell', input='x = 1\n1 / 0')
    assert done.exit_code == 1
    assert done.stderr.splitlines()[1] == '  File "<stdin>", line 2, in <module>'
    odd = 'class Odd(BaseException):\n    __traceback__ = property(lambda self: 1 / 0)\n'
    done = shell.run('shell', input=f'{odd}raise Odd(1)')
    assert done.exit_code == 1
    assert done.stderr.splitlines()[1:] == ['  File "<stdin>", line 3, in <module>', 'Odd: 1']
    assert shell.run('shell', input='(').stderr.endswith('was never closed\n')


def test_a_script_on_stdin_runs_in_an_instance(shell: Any) -> None:
    running = start(shell, '--debug')
    script = 'print(shop.stock)\nshop.stock.append("coffee")\nsorted(interfaces)'
    done = shell.run('shell', '--remote=shop', input=script)
    assert (done.exit_code, done.stderr) == (0, '')
    assert done.stdout == "['tea']\n['shop']\n"
    assert json.loads(shell.run('request', '--json', 'shop.order').stdout) == 'coffee'
    done = shell.run('shell', '--remote=shop', input='1 / 0')
    assert done.exit_code == 1
    assert 'ZeroDivisionError' in done.stdout
    assert 'backdoor: 127.0.0.1:' in running.stderr


def test_instance_without_a_backdoor_has_no_prompt(shell: Any) -> None:
    start(shell)
    done = shell.run('shell', '--remote=shop', input='1')
    assert done.exit_code == 1
    assert re.fullmatch(
        r'lymph: shop:[0-9a-f]{8} has no backdoor; start it with --debug, or set '
        r'debug\.backdoor_ip\n',
        done.stderr,
    )


def test_no_prompt_without_the_token(shell: Any) -> None:
    start(shell, debug='debug: {backdoor_ip: 127.0.0.1, backdoor_token: open sesame for me}')
    done = shell.run('shell', '--remote=shop', '--token=wrong', input='1')
    assert done.exit_code == 1
    assert 'the token is wrong' in done.stderr
    [file] = (shell.folder / 'state' / 'backdoor').iterdir()
    file.unlink()  # as for another user, or on another machine
    done = shell.run('shell', '--remote=shop', input='1')
    assert done.exit_code == 1
    assert 'wants a token' in done.stderr
    done = shell.run('shell', '--remote=shop', '--token=open sesame for me', input='1')
    assert (done.exit_code, done.stdout) == (0, '1\n')
    shell.environ['LYMPH_BACKDOOR_TOKEN'] = 'open sesame for me'
    assert shell.run('shell', '--remote=shop', input='1').exit_code == 0
    for command in (['discover', '--json', '--instances'], ['inspect', '--json', 'shop']):
        assert 'sesame' not in shell.run(*command).stdout


def test_one_of_several_instances_is_named_by_its_identity(shell: Any) -> None:
    start(shell, '--debug')
    start(shell, '--debug')
    done = shell.run('shell', '--remote=shop', input='1')
    assert done.exit_code == 1
    first, second = re.findall('shop:([0-9a-f]{8})', done.stderr)
    assert 'several instances fit, name one: ' in done.stderr
    script = 'container.identity'
    assert first in shell.run('shell', f'--remote=shop:{first}', input=script).stdout
    assert second in shell.run('shell', f'--remote=shop:{second}', input=script).stdout
    done = shell.run('shell', '--remote=shop:zz', input='1')
    assert first in done.stderr
    assert shell.run('shell', '--remote=:zz', input='1').exit_code == 2
    assert 'none is registered' in shell.run('shell', '--remote=nobody', input='1').stderr


def test_loop_keeps_running_while_the_prompt_waits_for_input(shell: Any, at_terminal: Open) -> None:
    terminal = at_terminal('shell', '--shell=plain')
    terminal.shows('Ctrl-D ends.')
    terminal.shows('>>> ')
    terminal.type(
        'import gevent; turns = []; repeat = lambda: [turns.append(gevent.sleep(0.01)) '
        'for _ in range(20)]; work = gevent.spawn(repeat)\n'
    )
    terminal.shows('>>> ')
    terminal.type('work.rea')
    let_pass(1, 'the time it takes somebody to type this')
    terminal.type('dy(), len(turns)\n')
    terminal.shows('(True, 20)')
    terminal.shows('>>> ')
    assert terminal.end() == 0


def test_ctrl_c_ends_the_line_or_the_running_code_and_not_the_prompt(
    shell: Any, at_terminal: Open
) -> None:
    terminal = at_terminal('shell', '--shell=plain')
    terminal.shows('>>> ')
    terminal.type('half a line')
    terminal.shows('half a line')
    terminal.type('\x03')
    terminal.shows('KeyboardInterrupt')
    terminal.shows('>>> ')
    terminal.type('import gevent; print("wai" "ting"); gevent.sleep(1000)\n')
    terminal.shows('waiting')
    terminal.type('\x03')
    terminal.shows('KeyboardInterrupt')
    terminal.shows('>>> ')
    terminal.type('6 * 7\n')
    terminal.shows('42')
    terminal.shows('>>> ')
    assert terminal.end() == 0


def test_remote_prompt_behaves_like_a_local_one(shell: Any, at_terminal: Open) -> None:
    running = start(shell, '--debug')
    terminal = at_terminal('shell', '--remote=shop')
    terminal.shows('container and interfaces are there. Ctrl-D ends.')
    terminal.shows('>>> ')
    terminal.type('for each in shop.stock:\n')
    terminal.shows('... ')
    terminal.type('  print(each.upper())\n')
    terminal.shows('... ')
    terminal.type('\n')
    terminal.shows('TEA')
    terminal.shows('>>> ')
    terminal.type('shop.sto\t\n')
    terminal.shows("['tea']")
    terminal.shows('>>> ')
    terminal.type('import gevent; print("wai" "ting"); gevent.sleep(1000)\n')
    terminal.shows('waiting')
    terminal.type('\x03')
    terminal.shows('Interrupted')
    terminal.shows('>>> ')
    terminal.type('half\x03')
    terminal.shows('KeyboardInterrupt')
    terminal.shows('>>> ')
    assert terminal.end() == 0
    again = at_terminal('shell', '--remote=shop')
    again.shows('>>> ')
    again.type('\x1b[A\x1b[A\n')  # what was typed last time
    again.shows("['tea']")
    running.signal(signal.SIGTERM)
    running.end()
    again.type('1\n')
    again.shows('it has ended')
