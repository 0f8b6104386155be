/** The service's URL without a trailing slash, inserted by serve.mjs. */
declare const ACCLAIM_URL: string;
