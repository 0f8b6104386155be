import { listPosts, type Post, type PostQuery } from '../client';
import { button, h } from '../dom';
import { Failure } from '../failure';
import { announce, clear, showFailure } from '../notices';
import { postView } from './post';

const PAGE_SIZE = 10;

type Sort = NonNullable<PostQuery['sort']>;
const SORTS: [Sort, string][] = [
  ['new', 'Newest'],
  ['old', 'Oldest'],
];

export function feedView(): HTMLElement {
  const heading = h('h1', { id: 'title', tabindex: -1 }, 'Posts');
  const list = h('div', { class: 'posts' });
  const end = h('div', { class: 'end' });
  const shown = new Set<number>();
  // Start of the next page.
  let skip = 0;
  let search = '';
  let sort: Sort = 'new';
  // Number of requests so far. A response is dropped if a newer request has started.
  let latest = 0;

  async function load(more: boolean): Promise<void> {
    const request = ++latest;
    list.ariaBusy = 'true';
    try {
      // Requests one post more than it shows, to know whether there is a next page.
      const query = { limit: PAGE_SIZE + 1, skip: more ? skip : 0, sort, ...(search && { search }) };
      const posts = await listPosts(query);
      if (request === latest) show(posts, more);
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure;
      if (request !== latest) return;
      showFailure(failure);
      const retry = button('Try again', 'plain', () => restart(more));
      if (replaceEnd(retry)) retry.focus();
    } finally {
      if (request === latest) list.ariaBusy = null;
    }
  }

  function show(posts: Post[], more: boolean): void {
    if (!more) {
      shown.clear();
      list.replaceChildren();
      skip = 0;
    }
    skip += Math.min(posts.length, PAGE_SIZE);
    // New posts may have moved posts that are already shown into the next page.
    const fresh = posts.slice(0, PAGE_SIZE).filter((post) => !shown.has(post.id)).map(add);
    const next = posts.length > PAGE_SIZE;
    const ending = shown.size === 0 ? [emptyNotice()] : [];
    const hadFocus = replaceEnd(...(next ? [button('Load more', 'plain', () => restart(true))] : ending));
    if (hadFocus) (fresh[0]?.querySelector('h2') ?? heading).focus();
    announce(shown.size === 0 ? emptyText() : `Posts shown: ${shown.size}${next ? ', and there are more' : ''}.`);
  }

  /** Returns true if the replaced content had the focus. The caller then has to move it. */
  function replaceEnd(...children: HTMLElement[]): boolean {
    const hadFocus = end.contains(document.activeElement);
    end.replaceChildren(...children);
    return hadFocus;
  }

  function add(post: Post): HTMLElement {
    const element = postView(post, (removed) => {
      const neighbour = removed.nextElementSibling ?? removed.previousElementSibling;
      shown.delete(post.id);
      skip -= 1;
      removed.remove();
      (neighbour?.querySelector('h2') ?? heading).focus();
      if (shown.size === 0) void load(false);
    });
    shown.add(post.id);
    list.append(element);
    return element;
  }

  function restart(more: boolean): void {
    clear();
    void load(more);
  }

  function emptyText(): string {
    return search ? `No post has “${search}”.` : 'There are no posts yet.';
  }

  function emptyNotice(): HTMLElement {
    const paragraph = h('p', { class: 'empty' }, emptyText());
    if (!search) paragraph.append(' ', h('a', { href: '#new' }, 'Write the first one'));
    return paragraph;
  }

  void load(false);
  const tools = h(
    'div',
    { class: 'tools' },
    searchForm((words) => {
      search = words;
      restart(false);
    }),
    sortChoice((chosen) => {
      sort = chosen;
      restart(false);
    }),
  );
  return h('section', { class: 'feed', 'aria-labelledby': 'title' }, heading, tools, list, end);
}

function searchForm(search: (words: string) => void): HTMLElement {
  const input = h('input', { id: 'search', type: 'search', autocomplete: 'off', maxlength: 1000, placeholder: 'Words in title or text' });
  const element = h(
    'form',
    { role: 'search', class: 'search' },
    h('label', { for: 'search', class: 'visually-hidden' }, 'Search the posts'),
    input,
    h('button', { class: 'plain' }, 'Search'),
  );
  let searched = '';
  element.addEventListener('submit', (event) => {
    event.preventDefault();
    searched = input.value.trim();
    search(searched);
  });
  // Clearing the field, for example with the browser's own button, shows all posts again.
  input.addEventListener('input', () => {
    if (input.value === '' && searched !== '') search((searched = ''));
  });
  return element;
}

function sortChoice(choose: (sort: Sort) => void): HTMLElement {
  const choices = SORTS.map(([value, label], i) => {
    const input = h('input', { type: 'radio', name: 'sort', value, checked: i === 0 });
    input.addEventListener('change', () => choose(value));
    return h('label', {}, input, label);
  });
  return h('fieldset', { class: 'sort' }, h('legend', { class: 'visually-hidden' }, 'Order'), ...choices);
}
