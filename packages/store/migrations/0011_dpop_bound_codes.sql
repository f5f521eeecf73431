-- The key an authorization code was asked for, and must be redeemed with (RFC 9449 §10).

alter table authorization_codes
  add column dpop_jkt text;                      -- RFC 7638 thumbprint
