//! TLS as callers, operators and attackers meet it.

mod authority;
mod cleartext;
mod hostile;
mod http;
mod mutual;
mod plain;
mod reload;
mod start;
