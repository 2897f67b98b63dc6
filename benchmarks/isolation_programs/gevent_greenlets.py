# needs: gevent
"""Greenlets, with everything patched."""
from gevent import monkey

monkey.patch_all()
import gevent

print([job.value for job in gevent.joinall([gevent.spawn(lambda n=n: (gevent.sleep(0.05), n)[1]) for n in range(3)])])
