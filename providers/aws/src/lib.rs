//! The AWS provider of tideform.
