//! The Provider trait: what tideform asks of a cloud, and the types it speaks in.
