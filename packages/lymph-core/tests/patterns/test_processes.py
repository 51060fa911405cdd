from __future__ import annotations

from lymph.testing.contracts.serial_events import SerialEventsContract


class TestOverEmbeddedEvents(SerialEventsContract):
    def configuration(self, folder, server):
        path = str(folder / 'state')
        return {
            'container': {
                'registry': {'class': 'embedded', 'path': path},
                'events': {'class': 'embedded', 'path': path, 'stall_timeout': 2},
            }
        }
