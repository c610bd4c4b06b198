# The pool's data is cached on another physical volume, so that its device is a cache's and not a plain volume's.
POOL_CACHE=1
