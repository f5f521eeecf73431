-- A family hangs on its consent, and a consent on its user, client and resource, which are the family's: whoever of them is
-- deleted takes the consent along, and the consent the family. The statement that makes a family holds its user and consent.
alter table token_families
  drop constraint token_families_client_id_fkey,
  drop constraint token_families_user_id_fkey,
  drop constraint token_families_resource_id_fkey;
