// The posts of the browser tests of examples/web, also shown in its pictures.
const LONG = [
  'A nanosecond is a piece of wire, 29.98 centimetres long: that is how far a signal can travel in one. I carry a bundle of them, and hand them out whenever somebody asks why satellites answer so late.',
  'Between here and the satellite there is a very large number of nanoseconds. Say it to an admiral with the wire in your hand, and he never forgets it.',
  'For comparison, a microsecond is a coil of three hundred metres. Every programmer should have one hanging over the desk, or around the neck, so that they know what they throw away when they throw away a microsecond.',
  'The picosecond comes from the kitchen: small packets of ground pepper. A picosecond is a grain of it, and a good many fit into one packet.',
].join('\n\n');

/** By their author, the oldest first. */
export const POSTS = {
  ada: [
    {
      title: 'Notes on the Analytical Engine',
      content:
        'The Engine weaves algebraic patterns just as the Jacquard loom weaves flowers and leaves. It has no pretensions to originate anything: it can do whatever we know how to order it to perform.',
      tags: ['engines', 'notes'],
    },
    {
      title: 'A table for the Bernoulli numbers',
      content:
        'Note G is done. Twenty-five operations, laid out in the order in which the mill has to carry them out, and every column checked twice.\n\nIf you find a slip in operation 4, do write to me.',
      tags: ['mathematics', 'notes'],
    },
  ],
  grace: [
    {
      title: 'First actual case of bug being found',
      content: 'Relay 70, panel F of the Mark II: a moth. It is taped into the log book now, at 15:45.',
      tags: ['hardware', 'log-book'],
    },
    { title: 'How long is a nanosecond?', content: LONG, tags: ['hardware', 'teaching'] },
    {
      title: 'The compiler is done, and nobody believes it',
      content: 'They told me that computers can only do arithmetic. I had a running compiler, and nobody would touch it.',
      tags: ['compilers'],
    },
  ],
};

export const DRAFT = {
  title: 'Music, some day',
  content: 'If the relations of pitched sounds could be expressed as operations, the Engine might compose.',
  tags: ['engines', 'music'],
};

/** Ada's post after the others, at the top of the pictures. */
export const REPLY = {
  title: 'To whoever sent the piece of wire',
  content: 'It hangs beside the loom now. Light crosses it before I have finished saying its name.',
  tags: ['teaching'],
};
