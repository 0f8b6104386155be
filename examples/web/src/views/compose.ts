import { createPost, getPost, updatePost, type Post, type PostUpdate } from '../calls/posts';
import { button, h, link } from '../dom';
import { Failure } from '../failure';
import { form, type Field } from '../form';
import { page } from '../parts/page';
import { finish, type Visit } from '../router';
import { current } from '../session';
import { notFoundView } from './broken';

type Name = keyof PostUpdate & ('title' | 'content' | 'tags');
type Values = Record<Name, string>;

const FIELDS: Field<Name>[] = [
  { name: 'title', label: 'Title', hint: 'Up to 300 characters.' },
  { name: 'content', label: 'Text', type: 'area', hint: 'Up to 40,000 characters.' },
  { name: 'tags', label: 'Tags', optional: true, hint: 'Up to 10, separated by spaces. Each has 1 to 30 letters a to z, digits and hyphens.' },
];

export function newPostView(): HTMLElement {
  const element = form({
    fields: FIELDS,
    buttons: ['Publish', 'Save as draft'],
    submit: async ({ title, content, tags }, pressed) => {
      const post = await createPost({ title, content, tags: tagList(tags), published: pressed === 'Publish' });
      forget();
      await finish(element, `/posts/${post.id}`, post.published ? `Published “${post.title}”.` : `Saved “${post.title}” as a draft. Only you can see it.`);
    },
  });
  const forget = keepUnsent(element, 'new', { title: '', content: '', tags: '' });
  return page('New post', element, back('/', 'All posts'));
}

export async function editView({ params: [id], signal }: Visit): Promise<HTMLElement> {
  const post = await getPost(Number(id), signal);
  if (post.owner_id !== current()?.user.id) return notFoundView(new Failure('Only its owner can edit a post.'));
  const stored = valuesOf(post);
  const element = form({
    fields: FIELDS,
    buttons: post.published ? ['Save'] : ['Save', 'Save and publish'],
    submit: async (values, pressed) => {
      const changed = await updatePost(post.id, { ...changes(stored, values), published: pressed !== 'Save' || undefined });
      forget();
      await finish(element, `/posts/${post.id}`, `${pressed === 'Save' ? 'Saved' : 'Published'} “${changed.title}”.`);
    },
  });
  const forget = keepUnsent(element, String(post.id), stored);
  return page('Edit post', element, back(`/posts/${post.id}`, 'Back without saving'));
}

function back(href: string, label: string): HTMLElement {
  return h('p', { class: 'aside' }, link(href, label));
}

function valuesOf({ title, content, tags }: Post): Values {
  return { title, content, tags: tags.join(' ') };
}

/** Only the members that the user has changed, so that changes made elsewhere to the others stay. */
function changes(stored: Values, { title, content, tags }: Values): PostUpdate {
  return {
    title: title === stored.title ? undefined : title,
    content: content === stored.content ? undefined : content,
    tags: tags === stored.tags ? undefined : tagList(tags),
  };
}

/** `#Engines, notes` are the tags `engines` and `notes`. */
function tagList(text: string): string[] {
  return text
    .toLowerCase()
    .split(/[\s,]+/)
    .map((tag) => tag.replace(/^#/, ''))
    .filter(Boolean);
}

/**
 * Fills the form, and keeps what the user types for as long as the tab is open, because a session can end or
 * a link can be clicked by mistake. Only its author gets it back. Keeps only what differs from `stored`, so that
 * changes made elsewhere to the other fields stay. Returns the function that forgets it.
 */
function keepUnsent(element: HTMLFormElement, what: string, stored: Values): () => void {
  const key = `acclaim.unsent.${current()?.user.id}.${what}`;
  const inputs = [...element.querySelectorAll<HTMLInputElement | HTMLTextAreaElement>('input, textarea')];
  const fill = (values: Values) => {
    for (const input of inputs) input.value = values[input.name as Name];
  };
  const forget = () => sessionStorage.removeItem(key);
  const unsent = sessionStorage.getItem(key);
  fill({ ...stored, ...JSON.parse(unsent ?? '{}') });
  if (unsent) {
    const discard = button('Discard', 'quiet', () => {
      forget();
      fill(stored);
      kept.remove();
      inputs[0]?.focus();
    });
    const kept = h('p', { class: 'kept' }, 'You did not send this yet. ', discard);
    element.prepend(kept);
  }
  element.addEventListener('input', () => {
    const unsent = inputs.filter(({ name, value }) => value !== stored[name as Name]).map(({ name, value }) => [name, value]);
    if (unsent.length > 0) sessionStorage.setItem(key, JSON.stringify(Object.fromEntries(unsent)));
    else forget();
  });
  return forget;
}
