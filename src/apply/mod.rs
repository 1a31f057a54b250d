//! Carrying out a plan: exactly its changes, each recorded before and after, re-deciding nothing.
