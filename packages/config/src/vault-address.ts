/** Whether what is said to Vault could be read on the way. An agent on the same machine or in the same pod needs no TLS. */
export const isUnprotected = (address: string | undefined): boolean => {
  const url = address === undefined ? undefined : new URL(address);
  return url?.protocol === 'http:' && !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
};
