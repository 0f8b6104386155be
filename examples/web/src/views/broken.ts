import { button, h, link } from '../dom';
import type { Failure } from '../failure';
import { explanation } from '../notices';

/** The view for a path without one, or for something that does not exist or that the user may not see. */
export function notFoundView(failure?: Failure): HTMLElement {
  return h(
    'section',
    { class: 'broken' },
    h('h1', {}, 'Not found'),
    failure ? explanation(failure) : h('p', {}, 'This page has nothing at ', h('code', {}, location.pathname), '.'),
    h('p', {}, link('/', 'All posts')),
  );
}

/** The view in place of one that could not be loaded, or that the user may not see. */
export function brokenView(failure: Failure, retry: () => void): HTMLElement {
  const text = explanation(failure);
  text.setAttribute('role', 'alert');
  const [title, way] =
    failure.status === 403
      ? ['Not allowed', h('p', {}, link('/', 'All posts'))]
      : ['This did not load', button('Try again', 'plain', retry)];
  return h('section', { class: 'broken' }, h('h1', {}, title), text, way);
}
