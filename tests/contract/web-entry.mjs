// Sign-up and sign-in on examples/web. Used by web.mjs.
import assert from 'node:assert/strict';
import { checked } from './web-pictures.mjs';
import { PASSWORD, described, focused, hold, join, open, pathOf, sees, seesAlert, seesHeading, send, signIn, signOut, signUp, step } from './web-steps.mjs';

/** Expects that nobody is signed in. Ends with ada signed in. */
export async function entry(page) {
  step('a view that needs a sign-in leads to it');
  await open(page, '/new');
  await seesHeading(page, 'Sign in');
  assert.equal(await pathOf(page), '/sign-in?next=%2Fnew');
  await checked(page, 'sign-in');

  step('a sign-up that the service rejects');
  await page.getByRole('link', { name: 'Create an account' }).click();
  await seesHeading(page, 'Sign up');
  assert.ok((await described(page.getByLabel('Password'))).includes('8 to 128 characters. Not a common password'), 'the rules are said first');
  await page.goBack();
  await signUp(page, { 'E-mail': 'ada', Username: 'a' });
  for (const [label, words] of [
    ['E-mail', 'E-mail must be an e-mail address.'],
    ['Username', 'Username must be 3 to 30 characters.'],
    ['Password', 'Password must be 8 to 128 characters.'],
  ]) {
    await sees(page.getByText(words, { exact: true }));
    assert.equal(await page.getByText(words.slice(label.length + 1, -1)).count(), 1, `“${words}” is said once`);
    assert.equal(await page.getByLabel(label).getAttribute('aria-invalid'), 'true', `${label} is marked`);
    assert.ok((await described(page.getByLabel(label))).includes(words), `${label} is described by “${words}”`);
  }
  const email = page.getByLabel('E-mail');
  assert.ok(await focused(email), 'the first invalid field has the focus');
  const [outline, red] = await email.evaluate((el) => [el, el.parentElement.querySelector('.error')].map((it, i) => getComputedStyle(it)[i ? 'color' : 'outlineColor']));
  assert.equal(outline, red, 'a refused field looks refused when it has the focus');
  await checked(page, 'sign-up-refused');
  await send(page, { Password: 'password' }, 'Sign up');
  await sees(page.getByText('Password is one of the most common passwords; choose another one.', { exact: true }));

  step('a sign-up signs in and returns');
  await page.getByRole('main').getByRole('link', { name: 'Sign in' }).click();
  await seesHeading(page, 'Sign in');
  await join(page, 'ada');
  await seesHeading(page, 'New post');
  assert.equal(await pathOf(page), '/new');
  await open(page, '/sign-up');
  await seesHeading(page, 'Posts');

  step('a wrong password, and a way to another site');
  await signOut(page);
  await open(page, '/sign-in?next=//example.com/new');
  await signIn(page, 'ada', 'wrong horse');
  await seesAlert(page, 'The username or the password is wrong.');
  await signIn(page, 'ada', PASSWORD);
  await seesHeading(page, 'Posts');
  assert.equal(await pathOf(page), '/');
}

/** Expects that nobody is signed in. Ends with the new user signed in. */
export async function signUpOnly(page, name) {
  step('a sign-up whose sign-in fails');
  const held = await hold(page, 'POST', '/login');
  await signUp(page, { 'E-mail': `${name}@example.com`, Username: name, Password: PASSWORD });
  await held.fail();
  await seesHeading(page, 'Sign in');
  await seesAlert(page, 'Your account is created. The database cannot be reached.');
  await signIn(page, name, PASSWORD);
  await seesHeading(page, 'Posts');
}
