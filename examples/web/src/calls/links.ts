/** A parameter of the URL that the `Link` header names (RFC 8288). */
export function linked(headers: Headers, rel: 'next' | 'prev', name: string): string | undefined {
  const [, target] = new RegExp(`<([^>]*)>; rel="${rel}"`).exec(headers.get('Link') ?? '') ?? [];
  return target === undefined ? undefined : (new URL(target, ACCLAIM_URL).searchParams.get(name) ?? undefined);
}
