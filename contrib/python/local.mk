# contrib/python/local.mk - a client and a backend for Django; t/95, 96, 97 test it.

EXTRA_DIST += \
	contrib/python/README \
	contrib/python/leasecached/__init__.py \
	contrib/python/leasecached/client.py \
	contrib/python/leasecached/django.py \
	contrib/python/leasecached/source.py \
	contrib/python/leasecached/wire.py \
	contrib/python/pyproject.toml \
	contrib/python/tests/servers.py \
	contrib/python/tests/test_django.py \
	contrib/python/tests/test_leases.py \
	contrib/python/tests/test_plain.py \
	contrib/python/tests/test_wire.py
