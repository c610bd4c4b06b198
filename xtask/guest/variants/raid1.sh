# The pool's data lies on RAID1 of two physical volumes.
POOL_RAID=1
