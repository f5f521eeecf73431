-- A code lives for a minute and is judged when it is redeemed, by a read that starts from it and joins user, client and
-- consent: one of them gone, there is no code. A reference adds a look-up and a row lock to every code, and says no sooner
-- what the redemption says anyway. The indexes served the cascades only. A row in a page with room is marked as redeemed
-- there, without touching an index.
alter table authorization_codes
  drop constraint authorization_codes_client_id_fkey,
  drop constraint authorization_codes_user_id_fkey,
  drop constraint authorization_codes_consent_grant_id_fkey,
  drop constraint authorization_codes_resource_id_fkey,
  set (fillfactor = 50);
drop index authorization_codes_by_client, authorization_codes_by_user, authorization_codes_by_consent;
