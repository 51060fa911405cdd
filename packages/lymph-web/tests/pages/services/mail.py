"""Services for the tests of the dashboard and for the pictures of its guide."""

from __future__ import annotations

import logging
import time

import lymph

logger = logging.getLogger('mail')


class Mail(lymph.Interface):
    """Sends mail when something was ordered."""

    stock = lymph.proxy('stock')

    @lymph.rpc()
    def send(self, to: str, text: str = '') -> str:
        """Send a mail at once."""
        logger.info('mail to %s: %s', to, text)
        if to == 'nobody':
            raise RuntimeError('there is nobody of this name')
        return f'sent to {to}'

    @lymph.rpc()
    def confirm(self, article: str) -> int:
        """Count what is left of an article, and say so by mail."""
        left = int(self.stock.count(article=article))
        self.emit('mail.confirmed', {'article': article, 'left': left})
        return left

    @lymph.event('mail.confirmed')
    def on_confirmed(self, event: lymph.Event) -> None:
        time.sleep(0.02)
        logger.info('confirmed %s', event.body['article'])

    @lymph.event('shop.ordered')
    def on_ordered(self, event: lymph.Event) -> None:
        if event.body['article'] == 'broken':
            raise ValueError(f'order {event.body["order"]} has no address')
        logger.info('order %d is confirmed', event.body['order'])


class Angry(lymph.Interface):
    """Logs and fails with HTML."""

    @lymph.event('angry.asked')
    def on_asked(self, event: lymph.Event) -> None:
        html = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
        logger.warning('%s', html)
        raise ValueError(html)
