-- A refresh token is written by the statement that makes its family or holds it, and is worth nothing without one. Left
-- behind by a family that was deleted, it goes when it expires. A page has room for its tokens to be marked as spent.
alter table refresh_tokens drop constraint refresh_tokens_family_id_fkey, set (fillfactor = 50);
