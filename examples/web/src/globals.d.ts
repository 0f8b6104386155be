/** The service's address without a slash at its end, put in by serve.mjs. */
declare const ACCLAIM_URL: string;
