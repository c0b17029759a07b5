//! Secrets, and the opaque tokens people carry: `agat_<id><secret><checksum>`.
