-- Answers of the admin API that a repetition with the same Idempotency-Key gets again, for a day.

create table repeatable_requests (
  id_hash      bytea primary key,                -- SHA-256 of who asked and the key they chose
  request_hash bytea not null,                   -- SHA-256 of what they asked for
  answer       bytea not null,                   -- sealed with what only the caller has: it may hold a secret shown once
  created_at   timestamptz not null,
  expires_at   timestamptz not null
);
create index repeatable_requests_expired on repeatable_requests (expires_at);
