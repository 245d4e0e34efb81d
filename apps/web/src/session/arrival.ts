// Signing in and out lead to a whole new page, and the focus stays behind on the old one: there it is given to the heading.
// The browser does it (autofocus), so it works without scripts, and leaves a person alone who was quicker.

/** Whether a request for a page comes from the form that began the session. Without a Referer it is not known. */
export function fromAccountForm(referer: string | null): boolean {
  if (!referer || !URL.canParse(referer)) return false;
  return ["/sign-in", "/sign-up"].includes(new URL(referer).pathname);
}
