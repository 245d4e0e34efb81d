import type { Metadata } from "next";
import { redirect } from "next/navigation";
import { AccountPage } from "../../components/account-page.tsx";
import { currentPerson } from "../../session/person.ts";

export const metadata: Metadata = { title: "Create an account" };

export default async function SignUp({ searchParams }: PageProps<"/sign-up">) {
  if (await currentPerson()) redirect("/memories");
  return (
    <AccountPage
      action="sign-up"
      title="Create your account"
      lead="It takes a minute, and what you store is yours alone."
      submit="Create account"
      fields={[
        { name: "name", label: "Name", type: "text", autoComplete: "name", maxLength: 100 },
        { name: "email", label: "Email", type: "email", autoComplete: "username", maxLength: 254 },
        {
          name: "password",
          label: "Password",
          type: "password",
          autoComplete: "new-password",
          minLength: 8,
          maxLength: 256,
          hint: "8 characters or more; a few words are easiest to remember.",
        },
      ]}
      other={{ question: "Have an account?", href: "/sign-in", label: "Sign in" }}
      query={await searchParams}
    />
  );
}
