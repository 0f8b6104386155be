/** The filters of the feed, as they are named in its URL. */
export interface FeedQuery {
  sort?: string;
  search?: string;
  tag?: string;
  owner?: string;
  voted?: string;
  cursor?: string;
}

/** The path of a view with this query. Empty values are left out. */
export function pathWith(path: string, query: Record<string, string | number | undefined>): string {
  const filled = Object.entries(query).flatMap(([name, value]) => (value ? [[name, String(value)]] : []));
  const text = new URLSearchParams(filled).toString();
  return text ? `${path}?${text}` : path;
}

export function feedPath(query: FeedQuery): string {
  return pathWith('/', { ...query });
}
