//! The SQLite state of tideform: schema, migrations, events, intents, costs, memory, leases.
