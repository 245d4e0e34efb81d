import type { Metadata } from "next";
import { headers } from "next/headers";
import { redirect } from "next/navigation";
import { Mark } from "../../components/mark.tsx";
import { Memories } from "../../components/memories.tsx";
import { fromAccountForm } from "../../session/arrival.ts";
import { currentPerson } from "../../session/person.ts";

export const metadata: Metadata = { title: "Memories" };

export default async function MemoriesPage() {
  const person = await currentPerson();
  if (!person) redirect("/sign-in");
  const arrived = fromAccountForm((await headers()).get("referer"));
  return (
    <>
      <header className="bar">
        <div className="bar-inner">
          <p className="brand">
            <Mark /> <span>NextAI Agent</span>
          </p>
          <div className="who">
            {person.name ? <span className="who-name">{person.name}</span> : null}
            <form method="post" action="/api/session/sign-out">
              <button className="button quiet" type="submit">
                Sign out
              </button>
            </form>
          </div>
        </div>
      </header>
      <main id="content" className="page">
        <Memories arrived={arrived} />
      </main>
    </>
  );
}
