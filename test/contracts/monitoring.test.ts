import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { catalogue, type MetricSpec } from '@authserver/telemetry';
import { parse } from 'yaml';
import { annotationQueries, panelQueries } from '../monitoring/panels.ts';
import { alertRules, recordingRules } from '../monitoring/rules.ts';
import { root } from '../support/source-files.ts';

const text = (path: string): string => readFileSync(join(root, path), 'utf8');
const pages = globSync('docs/runbooks/*.md', { cwd: root }).sort();
const alerts = alertRules();
const names = [...new Set(alerts.map(({ alert }) => alert))];

const fencesOf = (language: string, page: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)\\n\`\`\`$`, 'gm'))].map(([, inside = '']) => inside);

/** Every expression of PromQL in the repository, and where it is. */
const expressions = [
  ...panelQueries().map(({ dashboard, panel, expression }) => ({ at: `${dashboard}, ${panel}`, expression })),
  ...annotationQueries().map(({ dashboard, panel, expression }) => ({ at: `${dashboard}, ${panel}`, expression })),
  ...alerts.map(({ alert, expr }) => ({ at: alert, expression: expr })),
  ...alerts.map(({ alert, annotations }) => ({ at: alert, expression: annotations.description ?? '' })),
  ...recordingRules().map(({ record, expr }) => ({ at: record, expression: expr })),
  ...pages.flatMap((page) => fencesOf('promql', text(page)).map((expression) => ({ at: page, expression }))),
];

test('rules, dashboards and runbooks know no metric that the catalogue lacks', () => {
  const exposed = new Set(
    Object.values<MetricSpec>(catalogue).flatMap(({ name, type }) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`, name] : [name],
    ),
  );
  const recorded = new Set(recordingRules().map(({ record }) => record));
  for (const { at, expression } of expressions) {
    const rules = expression.match(/\b[a-z_]+:[a-z_]+:[a-z0-9]+/g) ?? [];
    for (const rule of rules) assert.ok(recorded.has(rule), `${at}: no rule records ${rule}`);
    const rest = expression.replace(/\b[a-z_]+:[a-z_]+:[a-z0-9]+/g, '');
    for (const [metric] of rest.matchAll(/\b(authserver|authplane)_[a-z0-9_]+/g))
      assert.ok(exposed.has(metric), `${at}: there is no metric ${metric}`);
  }
});

test('every rule that is recorded is used', () => {
  const used = expressions.map(({ expression }) => expression).join('\n');
  for (const { record } of recordingRules()) assert.ok(used.includes(record), record);
});

test('every alert has a severity, words, and a runbook; every runbook has an alert', () => {
  for (const { alert, labels, annotations } of alerts) {
    assert.match(labels.severity ?? '', /^(critical|warning|info)$/, alert);
    assert.match(annotations.summary ?? '', /\.$/, alert);
    assert.ok(annotations.description, alert);
    assert.equal(annotations.runbook, `docs/runbooks/${alert}.md`);
    assert.ok(`runbook-${alert}`.length <= 40, `${alert} is too long for the address of a dashboard`);
  }
  assert.deepEqual(
    pages.map((page) => basename(page, '.md')),
    [...names].sort(),
  );
});

test('every alert fires in a case of promtool', () => {
  const cases = ['alerts.test.yaml', 'alerts.quarter.test.yaml']
    .map((file) => text(`deploy/prometheus/${file}`))
    .join('\n');
  for (const { alert, labels } of alerts)
    assert.ok(cases.includes(`'{alertname="${alert}", severity="${labels.severity}"}'`), alert);
});

test('every runbook says what it means, how bad it is, where to look, what to do, and when it is over', () => {
  for (const page of pages) {
    const lines = text(page).split('\n');
    assert.equal(lines[0], `# ${basename(page, '.md')}`);
    assert.deepEqual(
      lines.filter((line) => line.startsWith('## ')),
      ['## What it means', '## How bad', '## Look', '## Do', '## Over'],
      page,
    );
    assert.ok(fencesOf('promql', lines.join('\n')).length > 0, `${page} has no query`);
  }
});

test('every command of a runbook exists, with its flags', () => {
  const sections = text('docs/cli.md').split(/^#{2,4} /m);
  const general = sections.filter((section) => /^Flags of every command|^Changes\n/.test(section)).join('\n');
  const commands = new Map(
    sections.filter((section) => section.startsWith('authserver ')).map((section) => [section.split('\n')[0], section]),
  );
  for (const page of pages)
    for (const [, line = ''] of text(page).matchAll(/(?:^|`)(authserver [^\n`]+)/gm)) {
      const words = line.split(' ');
      const end = words.findIndex((word) => !/^[a-z-]+$/.test(word) || word.startsWith('-'));
      const section = commands.get(words.slice(0, end === -1 ? undefined : end).join(' '));
      assert.ok(section, `${page}: ${line}`);
      for (const [flag] of line.matchAll(/--[a-z-]+/g))
        assert.ok(`${section}${general}`.includes(`\`${flag}`), `${page}: ${line} has no ${flag}`);
    }
});

test('links of runbooks and dashboards lead somewhere', () => {
  for (const page of pages)
    for (const [, link = ''] of text(page).matchAll(/\]\(([^)#]+)/g))
      assert.ok(existsSync(join(root, 'docs/runbooks', link)), `${page}: ${link}`);
  for (const file of globSync('deploy/grafana/{dashboards,runbooks}/*.json', { cwd: root }))
    for (const [, alert = ''] of text(file).matchAll(/\/d\/runbook-(\w+)/g))
      assert.ok(names.includes(alert), `${file} leads to ${alert}`);
});

test('every scrape configuration loads every rule, and no process is asked twice', () => {
  const files = globSync('deploy/prometheus/prometheus*.yml', { cwd: root });
  assert.equal(files.length, 3);
  for (const file of files) {
    const { rule_files, scrape_configs } = parse(text(file)) as {
      rule_files: string[];
      scrape_configs: { job_name: string; static_configs?: { targets: string[] }[] }[];
    };
    assert.deepEqual(rule_files, ['recording.yaml', 'alerts.yaml'], file);
    for (const { job_name, static_configs = [] } of scrape_configs) {
      assert.match(job_name, /^authserver/); // what the alerts about processes look for
      for (const target of static_configs.flatMap(({ targets }) => targets))
        assert.ok(target.endsWith(job_name === 'authserver-admin' ? ':9001' : ':9002'), target);
    }
  }
});

test('compose mounts files that are there', () => {
  const { services } = parse(text('compose.yaml'), { merge: true }) as {
    services: Record<string, { volumes?: string[] }>;
  };
  const mounted = Object.values(services).flatMap(({ volumes = [] }) =>
    volumes.filter((volume) => volume.startsWith('./')),
  );
  assert.ok(mounted.some((volume) => volume.includes('grafana')));
  for (const volume of mounted) assert.ok(existsSync(join(root, volume.split(':')[0] ?? '')), volume);
});
