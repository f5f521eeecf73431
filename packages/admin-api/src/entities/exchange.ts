import type { Entity } from '../entity.ts';
import * as exchange from '../views/exchange.ts';

/** What the token endpoint would say to a token exchange, without one. */
export const exchangeEntities = {
  exchange: {
    title: 'Token exchange',
    operations: {
      explain: {
        method: 'POST',
        path: '/admin/exchange/explain',
        summary: 'Explain whether a client may exchange a token, gate by gate, without issuing one.',
        body: exchange.ExplainExchange,
        returns: exchange.ExchangeExplanation,
        looks: true,
      },
    },
  },
} as const satisfies Record<string, Entity>;
