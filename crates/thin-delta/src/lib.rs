//! A streaming parser of thin_delta's and thin_dump's XML, in bounded memory.
