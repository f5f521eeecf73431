/** A JWS in compact form (RFC 7515 §3.1), to the letter: decoders put up with line breaks and padding, we do not. */
export const compactJws = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;
