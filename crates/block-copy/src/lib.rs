//! Reading, writing, zeroing and discarding on block devices and files, with bounded queues.
