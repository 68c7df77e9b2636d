//! The embedded ingest service.
