import { createPost, type PostCreate } from '../client';
import { h } from '../dom';
import { form, type Field } from '../form';
import { notify } from '../notices';
import { current } from '../session';

// Keeps unsent text when a token expires or the user visits the feed. Restored only for its author, because
// another user may sign in in this tab.
let unsent: { owner: number; title: string; content: string } | undefined;

export function composeView(done: () => void): HTMLElement {
  const owner = current()?.user.id ?? 0;
  const fields: Field<keyof PostCreate & ('title' | 'content')>[] = [
    { name: 'title', label: 'Title' },
    { name: 'content', label: 'Text', type: 'area' },
  ];
  const element = form({
    fields,
    buttons: [
      { name: 'publish', label: 'Publish' },
      { name: 'draft', label: 'Save as draft' },
    ],
    submit: async ({ title, content }, pressed) => {
      const post = await createPost({ title, content, published: pressed !== 'draft' });
      unsent = undefined;
      done();
      notify(post.published ? `Published “${post.title}”.` : `Saved “${post.title}” as a draft. Only you can see it.`);
    },
  });
  const title = element.querySelector('input');
  const content = element.querySelector('textarea');
  if (title && content) {
    if (unsent?.owner === owner) {
      title.value = unsent.title;
      content.value = unsent.content;
    }
    element.addEventListener('input', () => {
      unsent = { owner, title: title.value, content: content.value };
    });
  }
  return h(
    'section',
    { class: 'compose', 'aria-labelledby': 'title' },
    h('h1', { id: 'title', tabindex: -1 }, 'New post'),
    element,
    h('p', { class: 'aside' }, h('a', { href: '#' }, 'Back to the posts')),
  );
}
