import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLocalhostIssuer, issuerProblem } from './issuer.ts';

const local: [issuer: string, isLocal: boolean][] = [
  ['http://localhost:9000', true],
  ['https://localhost', true],
  ['http://127.0.0.1:9000/tenant', true],
  ['http://[::1]:9000', true],
  ['http://localhost.example.com', false],
  ['http://127.0.0.2', false],
  ['http://localhost@evil.example', false],
  ['ftp://localhost', false],
  ['localhost', false],
];

for (const [issuer, isLocal] of local) {
  test(`${issuer} is ${isLocal ? 'localhost' : 'production'}`, () => assert.equal(isLocalhostIssuer(issuer), isLocal));
}

const identifiers: [issuer: string, problem: RegExp | undefined][] = [
  ['https://auth.example.com', undefined],
  ['https://auth.example.com/tenant', undefined],
  ['https://auth.example.com/', /slash/],
  ['https://auth.example.com/tenant/', /slash/],
  ['https://auth.example.com?x=1', /query/],
  ['https://auth.example.com?', /query/],
  ['https://auth.example.com#x', /fragment/],
  ['https://user:hunter2@auth.example.com', /user name/],
  ['auth.example.com', /URL/],
];

for (const [issuer, problem] of identifiers) {
  test(`${issuer} ${problem ? 'is refused' : 'is an issuer identifier'}`, () => {
    if (problem) assert.match(issuerProblem(issuer) ?? '', problem);
    else assert.equal(issuerProblem(issuer), undefined);
  });
}
