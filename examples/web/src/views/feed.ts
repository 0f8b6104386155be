import { listPosts, type Post, type PostQuery } from '../client';
import { button, h } from '../dom';
import { Failure } from '../failure';
import { alarm, clear, whisper } from '../notices';
import { postView } from './post';

const PAGE = 10;

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
  // Number of loads. A response that arrives after a newer request started is dropped.
  let latest = 0;

  async function load(more: boolean): Promise<void> {
    const mine = ++latest;
    list.ariaBusy = 'true';
    try {
      // Requests one post more than it shows, to know whether there is a next page.
      const query = { limit: PAGE + 1, skip: more ? skip : 0, sort, ...(search && { search }) };
      const posts = await listPosts(query);
      if (mine === latest) show(posts, more);
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure;
      if (mine !== latest) return;
      alarm(failure);
      const again = button('Try again', 'plain', () => restart(more));
      if (replaceEnd(again)) again.focus();
    } finally {
      if (mine === latest) list.ariaBusy = null;
    }
  }

  function show(posts: Post[], more: boolean): void {
    if (!more) {
      shown.clear();
      list.replaceChildren();
      skip = 0;
    }
    skip += Math.min(posts.length, PAGE);
    // A new post may have moved posts that are shown already into the next page.
    const fresh = posts.slice(0, PAGE).filter((post) => !shown.has(post.id)).map(add);
    const next = posts.length > PAGE;
    const nothingMore = shown.size === 0 ? [empty()] : [];
    const held = replaceEnd(...(next ? [button('Load more', 'plain', () => restart(true))] : nothingMore));
    if (held) (fresh[0]?.querySelector('h2') ?? heading).focus();
    whisper(shown.size === 0 ? nothing() : `Posts shown: ${shown.size}${next ? ', and there are more' : ''}.`);
  }

  /** Returns true if the replaced content had the focus. The caller then has to move it. */
  function replaceEnd(...children: HTMLElement[]): boolean {
    const held = end.contains(document.activeElement);
    end.replaceChildren(...children);
    return held;
  }

  function add(post: Post): HTMLElement {
    const element = postView(post, (gone) => {
      const neighbour = gone.nextElementSibling ?? gone.previousElementSibling;
      shown.delete(post.id);
      skip -= 1;
      gone.remove();
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

  function nothing(): string {
    return search ? `No post has “${search}”.` : 'There are no posts yet.';
  }

  function empty(): HTMLElement {
    const paragraph = h('p', { class: 'empty' }, nothing());
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

function searchForm(ask: (words: string) => void): HTMLElement {
  const input = h('input', { id: 'search', type: 'search', autocomplete: 'off', maxlength: 1000, placeholder: 'Words in title or text' });
  const element = h(
    'form',
    { role: 'search', class: 'search' },
    h('label', { for: 'search', class: 'heard' }, 'Search the posts'),
    input,
    h('button', { class: 'plain' }, 'Search'),
  );
  let asked = '';
  element.addEventListener('submit', (event) => {
    event.preventDefault();
    asked = input.value.trim();
    ask(asked);
  });
  // Clearing the field, for example with the browser's own button, shows all posts again.
  input.addEventListener('input', () => {
    if (input.value === '' && asked !== '') ask((asked = ''));
  });
  return element;
}

function sortChoice(choose: (sort: Sort) => void): HTMLElement {
  const choices = SORTS.map(([value, label], i) => {
    const input = h('input', { type: 'radio', name: 'sort', value, checked: i === 0 });
    input.addEventListener('change', () => choose(value));
    return h('label', {}, input, label);
  });
  return h('fieldset', { class: 'sort' }, h('legend', { class: 'heard' }, 'Order'), ...choices);
}
