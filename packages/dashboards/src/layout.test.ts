import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboards } from './generate.ts';

const columns = 24;
const panelsOf = (dashboard: (typeof dashboards)[keyof typeof dashboards]) => (dashboard.panels ?? []) as Panel[];
const named = Object.entries(dashboards);

for (const [name, dashboard] of named) {
  const panels = panelsOf(dashboard);

  test(`${name}: every cell of the grid belongs to one panel at most, and none is off the page`, () => {
    const taken = new Map<string, string>();
    for (const { title = '', gridPos } of panels) {
      assert.ok(gridPos, title);
      assert.ok(gridPos.x >= 0 && gridPos.x + gridPos.w <= columns, title);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x += 1)
        for (let y: number = gridPos.y; y < gridPos.y + gridPos.h; y += 1) {
          assert.equal(taken.get(`${x},${y}`), undefined, `${title} at ${x},${y}`);
          taken.set(`${x},${y}`, title);
        }
    }
  });

  test(`${name}: the first row is six answers, each with a colour or a plain number and words about it`, () => {
    const answers = panels.filter(({ gridPos }) => gridPos?.y === 0);
    assert.equal(answers.length, 6);
    for (const { type, title = '', description = '' } of answers) {
      assert.equal(type, 'stat', title);
      assert.ok(title.length <= 28, `${title} is cut off at a sixth of the page`);
      assert.match(description, /^[A-Z0-9].*\.$/, title);
    }
  });

  test(`${name}: panels can be told apart`, () => {
    const ids = panels.map(({ id }) => id);
    assert.equal(new Set(ids).size, panels.length);
    for (const { title, type, targets, datasource } of panels) {
      assert.ok(title, 'a panel has no title');
      if (type === 'row' || type === 'text') continue;
      assert.equal(datasource?.uid, '$datasource', title);
      assert.ok((targets?.length ?? 0) > 0, title);
      const letters = (targets ?? []).map((target) => (target as { refId?: string }).refId);
      if (letters.length > 1) assert.equal(new Set(letters).size, letters.length, title);
    }
  });
}

test('latencies show the requests that were traced, where the series have them, and nothing else asks for such', () => {
  type Target = { expr?: string; exemplar?: boolean };
  const asked = named
    .flatMap(([, dashboard]) => panelsOf(dashboard))
    .filter(({ type }) => type === 'timeseries')
    .flatMap(({ fieldConfig, targets }) =>
      (targets ?? []).map((target) => ({ unit: fieldConfig?.defaults.unit, ...(target as Target) })),
    );
  for (const { unit, expr = '', exemplar } of asked)
    assert.equal(exemplar === true, unit === 's' && /_seconds_bucket\{/.test(expr), expr);
  assert.ok(
    asked.some(({ expr, exemplar }) => exemplar && expr?.includes('authserver_token_issuance_duration_seconds')),
  );
});

test('dashboards have addresses of their own', () => {
  const uids = named.map(([, { uid = '' }]) => uid);
  assert.equal(new Set(uids).size, uids.length);
  for (const uid of uids) assert.match(uid, /^[a-zA-Z0-9_-]{1,40}$/);
});
