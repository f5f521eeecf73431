-- When somebody signed in here, where that is not when they proved who they are: an OpenID provider may have asked them for
-- a password days ago. Absent where the two are the same, and in rows of an older release.

alter table browser_sessions add column signed_in_at timestamptz;
